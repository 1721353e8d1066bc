/** What files may be for, and what they may then be made of. */
export const images = ['image/jpeg', 'image/png', 'image/webp'] as const;
export const mediaTypes = [...images, 'application/pdf'] as const;
export type MediaType = (typeof mediaTypes)[number];

export const allowedMediaTypes = {
  AVATAR: images,
  PACKAGE_PHOTO: images,
  HANDOFF_PHOTO: images,
  TRIP_DOCUMENT: mediaTypes,
  VEHICLE_DOCUMENT: mediaTypes,
  IDENTITY_DOCUMENT: mediaTypes,
  CUSTOMS_DOCUMENT: mediaTypes,
  ATTACHMENT: mediaTypes,
} satisfies Record<string, readonly MediaType[]>;

export type FilePurpose = keyof typeof allowedMediaTypes;

/** Small enough to be looked through whole before everybody may see it. */
export const maxAvatarBytes = 2 * 1024 * 1024;

/** What somebody without an account, who came by a signed link, may upload. */
export const linkPurposes: readonly FilePurpose[] = ['HANDOFF_PHOTO'];

/** The first is used where a file has no name of its own. */
export const extensions: Record<MediaType, readonly string[]> = {
  'image/jpeg': ['jpg', 'jpeg'],
  'image/png': ['png'],
  'image/webp': ['webp'],
  'application/pdf': ['pdf'],
};
