import { stopAfterAttempt, waitNone } from "undaunted";
import { HttpStatusError, retryFetch } from "undaunted/http";
import { flaky } from "undaunted/testing";
import { describe, expect, it } from "vitest";
import { networkError, status } from "./fetching.js";

const URL_1 = "https://example.com/a?token=1";
const reset = networkError("ECONNRESET");

describe("throwOnFailure", () => {
  it.each([400, 404, 500])("throws a response of status %i", async (code) => {
    const response = status(code);
    const api = retryFetch({ fetch: flaky([response]), throwOnFailure: true, stop: stopAfterAttempt(1) });

    const error = await api(URL_1).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(HttpStatusError);
    expect(error).toMatchObject({ name: "HttpStatusError", code: "ERR_HTTP_STATUS", status: code, method: "GET" });
    expect((error as HttpStatusError).response).toBe(response);
  });

  it("returns a response below 400", async () => {
    const response = new Response(null, { status: 399 });

    await expect(retryFetch({ fetch: flaky([response]), throwOnFailure: true })(URL_1)).resolves.toBe(response);
  });

  it("does not make a 404 worth another attempt", async () => {
    const server = flaky([status(404)]);

    await expect(retryFetch({ fetch: server, throwOnFailure: true })(URL_1)).rejects.toBeInstanceOf(HttpStatusError);

    expect(server).toHaveBeenCalledTimes(1);
  });

  it("throws the last response, which can still be read", async () => {
    const server = flaky([status(503, {}, "one"), status(503, { "retry-after": "99" }, "two")]);
    const api = retryFetch({ fetch: server, throwOnFailure: true, wait: waitNone });

    const error: HttpStatusError = await api(URL_1).then(expect.fail, (thrown: any) => thrown);

    expect(await error.response.text()).toBe("two");
    expect(error.retryAfter).toBe(99_000);
  });

  it("names neither the query nor the credentials of the URL, and does not enumerate the response", async () => {
    const api = retryFetch({ fetch: flaky([status(404)]), throwOnFailure: true });

    const error: HttpStatusError = await api("https://me:secret@example.com/a?token=1#top").then(
      expect.fail,
      (thrown: any) => thrown,
    );

    expect(error.message).toBe("GET https://example.com/a answered 404");
    expect(Object.keys(error)).not.toContain("response");
  });

  it("throws an error that may be given another name", async () => {
    const error: Error = new HttpStatusError("GET", URL_1, status(404));

    error.name = "NotFound";
    error.name = "Gone";

    expect(`${error}`).toBe("Gone: GET https://example.com/a answered 404");
  });

  it("rejects with the error of a network that failed, as ever", async () => {
    const api = retryFetch({ fetch: flaky([reset]), throwOnFailure: true, stop: stopAfterAttempt(1) });

    await expect(api(URL_1)).rejects.toBe(reset);
  });
});
