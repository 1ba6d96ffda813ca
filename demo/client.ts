import { currentAttempt, NonRetryableError } from "undaunted";

export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  /** ms, where the server says when to come back. */
  readonly retryAfter: number | undefined;

  constructor(response: Response) {
    super(`${response.status} ${response.statusText}`);
    this.status = response.status;
    const seconds = response.headers.get("retry-after");
    this.retryAfter = seconds === null ? undefined : Number(seconds) * 1_000;
  }
}

export interface User {
  readonly name: string;
}

/** Knows nothing about policies: only what an attempt is, and what is hopeless. */
export async function fetchUser(url: string): Promise<User> {
  // With the attempt's signal, a timeout or a cancellation ends the request itself, not only the wait for it.
  const { signal } = currentAttempt();
  const response = await fetch(url, { signal });
  if (response.ok) return (await response.json()) as User;
  const error = new HttpError(response);
  if (response.status === 404) throw new NonRetryableError("no such user", { cause: error });
  throw error;
}
