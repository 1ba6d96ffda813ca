import { stopAfterAttempt } from "undaunted";
import { HttpStatusError, retryFetch } from "undaunted/http";
import { expect, it, vi } from "vitest";

/** A client whose last response has a body that tells when it is cancelled. */
function failing(fallback: (state: { error: unknown }) => Promise<never>) {
  const cancelled = vi.fn();
  const body = new ReadableStream({ cancel: cancelled });
  const fetch = async () => new Response(body, { status: 503 });
  return { api: retryFetch({ fetch, stop: stopAfterAttempt(1), fallback }), cancelled };
}

it.each([
  [
    "throws",
    () => {
      throw new Error("no cache");
    },
  ],
  ["rejects with", () => Promise.reject(new Error("no cache"))],
])("a fallback that %s an error of its own lets go of the last response", async (_, fallback) => {
  const { api, cancelled } = failing(fallback);

  await expect(api("https://example.com/")).rejects.toThrow("no cache");

  expect(cancelled).toHaveBeenCalledOnce();
});

it.each([
  ["the error that it was told of", ({ error }: { error: unknown }) => Promise.reject(error)],
  ["one with that for a cause", ({ error: cause }: { error: unknown }) => Promise.reject(new Error("down", { cause }))],
])("a fallback that throws %s hands on the response in it", async (_, fallback) => {
  const { api, cancelled } = failing(fallback);

  const thrown = await api("https://example.com/").catch((error: Error) => error);
  const error = thrown instanceof HttpStatusError ? thrown : (thrown as Error).cause;

  expect((error as HttpStatusError).response.bodyUsed).toBe(false);
  expect(cancelled).not.toHaveBeenCalled();
});
