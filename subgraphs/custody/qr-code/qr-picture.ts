import qrcode from 'qrcode';

/** A code as a PNG in a data URL. Base45 keeps to the alphanumeric mode, so the squares stay large. */
export const drawCode = (token: string): Promise<string> =>
  qrcode.toDataURL(token, { errorCorrectionLevel: 'M', margin: 4, scale: 4 });
