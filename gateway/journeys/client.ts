/** A client application as the journeys play it: typed operations over HTTP, graphql-ws, uploads, a mailbox. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import { createClient, type Client as SocketClient } from 'graphql-ws';
import WebSocket from 'ws';
import {
  CreateUploadDocument,
  type CreateUploadMutationVariables,
  RefreshSessionDocument,
  RequestOtpDocument,
  UpdateProfileDocument,
  VerifyOtpDocument,
} from '../../schema/operations/operations.generated.ts';

/** An answer with errors; the codes are what a client decides by. */
export class AnswerRefused extends Error {
  readonly codes: readonly string[];
  readonly details: readonly Record<string, unknown>[];
  constructor(errors: readonly { message: string; extensions?: Record<string, unknown> }[]) {
    super(errors.map(({ message, extensions }) => `${extensions?.code}: ${message}`).join('; '));
    this.codes = errors.map(({ extensions }) => String(extensions?.code));
    this.details = errors.map(({ extensions }) => (extensions?.details ?? {}) as Record<string, unknown>);
  }
}

const timeoutMs = 30_000;

/** An answer as it came: what was refused stands beside what was given all the same. */
export interface Answer<Data> {
  readonly status: number;
  readonly data?: Data | null;
  readonly errors?: ConstructorParameters<typeof AnswerRefused>[0];
}

/** What a client keeps of a sign-in: enough to stay signed in. */
interface KeptSession {
  readonly accessToken: string;
  readonly accessExpiresAt: string;
  readonly refreshToken: string;
  readonly deviceFingerprint: string;
}

export class Client {
  readonly url: string;
  #token: string | undefined;
  #session: KeptSession | undefined;
  #refreshing: Promise<void> | undefined;

  /** With a session it stays signed in by itself; with a plain token, such as a link's, until that expires. */
  constructor(url: string, as?: string | KeptSession) {
    this.url = url;
    this.#session = typeof as === 'object' ? as : undefined;
    this.#token = typeof as === 'object' ? as.accessToken : as;
  }

  async run<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    await this.#staySignedIn();
    return this.#send(document, variables);
  }

  /** For a connection of its own; valid for half a minute at least. */
  async accessToken(): Promise<string | undefined> {
    await this.#staySignedIn();
    return this.#token;
  }

  #staySignedIn(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const session = this.#session;
    if (!session || Date.parse(session.accessExpiresAt) > Date.now() + 30_000) return;
    const { deviceFingerprint, refreshToken } = session;
    const { refreshSession } = await this.#send(RefreshSessionDocument, {
      input: { deviceFingerprint, refreshToken },
    });
    this.#session = { ...refreshSession, deviceFingerprint };
    this.#token = refreshSession.accessToken;
  }

  /** Runs and gives the whole answer, whatever it is. */
  async ask<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer<Data>> {
    await this.#staySignedIn();
    return this.#post(document, variables, headers);
  }

  async #send<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    const { data, errors } = await this.#post(document, variables);
    if (errors) throw new AnswerRefused(errors);
    return data!;
  }

  async #post<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer<Data>> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.#token ? { authorization: `Bearer ${this.#token}` } : {}),
        ...headers,
      },
      body: JSON.stringify({ query: print(document), variables }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, ...((await response.json()) as Omit<Answer<Data>, 'status'>) };
  }

  /** Runs until `enough` says so; throws after the time given. */
  async until<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    enough: (data: Data) => boolean,
    within = 20_000,
  ): Promise<Data> {
    const deadline = performance.now() + within;
    for (;;) {
      const data = await this.run(document, variables);
      if (enough(data)) return data;
      if (performance.now() > deadline) throw new Error(`not within ${within} ms: ${JSON.stringify(data)}`);
      await sleep(100);
    }
  }

  /** Runs what must be refused, and returns the refusal. */
  async refused<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<AnswerRefused> {
    const answer = await this.run(document, variables).catch((error: unknown) => error);
    assert.ok(answer instanceof AnswerRefused, `was not refused: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Uploads bytes as the web client does: announce, then PUT to the address that was given. */
  async upload(
    bytes: Uint8Array<ArrayBuffer>,
    mediaType: string,
    purpose: CreateUploadMutationVariables['input']['purpose'],
  ): Promise<string> {
    const { createUpload } = await this.run(CreateUploadDocument, {
      input: { purpose, mediaType, bytes: bytes.length },
    });
    const response = await fetch(createUpload.uploadUrl, {
      method: 'PUT',
      headers: { 'content-type': mediaType },
      body: bytes,
      signal: AbortSignal.timeout(timeoutMs),
    });
    assert.ok(response.ok, `upload: ${response.status} ${await response.text()}`);
    return createUpload.file.id;
  }

  /** A socket at the same URL; closed by whoever opened it. */
  socket(): SocketClient {
    return createClient({
      url: this.url.replace(/^http/, 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: this.#token ? { authorization: `Bearer ${this.#token}` } : {},
      retryAttempts: 0,
    });
  }
}

export interface Person {
  readonly client: Client;
  readonly id: string;
  readonly email: string;
  readonly name: string;
}

interface Mail {
  readonly subject: string;
  readonly text: string;
}

/** Mails to an address, newest first. */
export async function mailsTo(url: string, email: string): Promise<Mail[]> {
  const mailbox = new URL(`/services/communications/mailbox.json?to=${encodeURIComponent(email)}`, url);
  const response = await fetch(mailbox, { signal: AbortSignal.timeout(timeoutMs) });
  assert.ok(response.ok, `mailbox: ${response.status}`);
  const { messages } = (await response.json()) as { messages: Mail[] };
  return messages;
}

/** Waits for the newest mail to an address that fits. */
export async function awaitMail(url: string, email: string, fits: (mail: Mail) => boolean): Promise<Mail> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const mail = (await mailsTo(url, email)).find(fits);
    if (mail) return mail;
    if (performance.now() > deadline) throw new Error(`no such mail to ${email}`);
    await sleep(100);
  }
}

/** Signs in by one-time code; the code comes by mail. */
export async function signIn(url: string, email: string, name: string): Promise<Person> {
  const anonymous = new Client(url);
  const deviceFingerprint = `journey:${email}`;
  const before = (await mailsTo(url, email)).length;
  const { requestOtp } = await anonymous.run(RequestOtpDocument, { input: { email, deviceFingerprint } });
  const deadline = performance.now() + 20_000;
  let mails = await mailsTo(url, email);
  while (mails.length <= before && performance.now() < deadline) {
    await sleep(50);
    mails = await mailsTo(url, email);
  }
  const code = mails.map(({ text }) => /\b\d{6}\b/.exec(text)?.[0]).find(Boolean);
  assert.ok(code, `no sign-in code came to ${email}`);
  const { verifyOtp } = await anonymous.run(VerifyOtpDocument, {
    input: {
      challengeId: requestOtp.challengeId,
      email,
      code,
      deviceFingerprint,
      userAgent: 'Baton journey',
    },
  });
  const client = new Client(url, { ...verifyOtp, deviceFingerprint });
  if (verifyOtp.user.displayName !== name)
    await client.run(UpdateProfileDocument, { input: { displayName: name } });
  return { client, id: verifyOtp.user.id, email, name };
}
