import { expect } from "vitest";

/** What a promise rejects with. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail("it has not failed"),
    (error) => error,
  );
}

/** A function that waits until it was called so often; from then on it does not. */
export function barrier(times: number): () => Promise<void> {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    if (--times <= 0) open();
    return opened;
  };
}
