import axios, { type InternalAxiosRequestConfig } from "axios";
import { retryAxios } from "undaunted/axios";
import { type FetchRequestView, type HttpRequest, retryFetch, type SharedPauses } from "undaunted/http";
import { type Fleet, type FleetPauses, type LimitedRequest, redisFleet } from "undaunted/redis";
import * as undici from "undici";
import { expectTypeOf, it } from "vitest";

// Compiled, never run.

declare const fleet: Fleet;

it("tells key what a request of its client is", () => {
  retryFetch({
    pauseOrigin: fleet.pauses({
      key: (request) => {
        expectTypeOf(request).toEqualTypeOf<FetchRequestView>();
        return String(request.headers.get("authorization"));
      },
    }),
  });
  retryFetch({ fetch: undici.fetch, pauseOrigin: fleet.pauses({ key: ({ url }) => url.origin }) });
  retryFetch(() => ({ pauseOrigin: fleet.pauses({ key: ({ url }) => url.origin }) }));
  retryAxios(axios.create(), {
    pauseOrigin: fleet.pauses({
      key: (request) => {
        expectTypeOf(request.config).toEqualTypeOf<InternalAxiosRequestConfig>();
        return request.url.origin;
      },
    }),
  });
});

it("gives pauses by themselves what the requests of all clients have, and takes them for any", () => {
  const pauses = fleet.pauses({
    key: (request) => {
      expectTypeOf(request).toEqualTypeOf<LimitedRequest>();
      return `${request.url.origin} ${request.headers.get("authorization")}`;
    },
  });

  expectTypeOf(pauses).toEqualTypeOf<FleetPauses>();
  expectTypeOf(pauses.stats.fleet.connected).toEqualTypeOf<boolean>();
  expectTypeOf(pauses).toExtend<SharedPauses<HttpRequest>>();
  retryFetch({ pauseOrigin: pauses }).with({ pauseOrigin: pauses });
  retryAxios(axios.create(), { pauseOrigin: pauses });
});

it("takes a key function with a type of its own", () => {
  const key = ({ url }: HttpRequest) => url.origin;

  retryFetch({ pauseOrigin: fleet.pauses({ key }) });
  retryAxios(axios.create(), { pauseOrigin: fleet.pauses({ key }) });
  redisFleet({ eval: async () => [] }, { name: "orders" }).pauses({ key });
});

it("refuses what is no key", () => {
  // @ts-expect-error key is needed
  fleet.pauses({});
  // @ts-expect-error a key is a string
  fleet.pauses({ key: () => 1 });
  // @ts-expect-error a promise is no key
  fleet.pauses({ key: async () => "key" });
  // @ts-expect-error there is no such option
  fleet.pauses({ key: () => "key", max: 3 });
  // @ts-expect-error a fleet is no pauses
  retryFetch({ pauseOrigin: fleet });
});
