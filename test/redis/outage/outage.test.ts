import { expect, it } from "vitest";
import { named } from "../../idempotency/kinds-of-store.js";
import { whatIsMissing } from "../../transient/servers/index.js";
import { claimsOf, linesOf } from "./claims.js";
import { type Outage, play } from "./play.js";

const missing = whatIsMissing("redis");

// Some 20 s. The server that refuses, the one that is slow, longer outages and a Redis that dies are played by `npm run fleet`.
it.skipIf(missing)(
  named(
    "100 members of a fleet in ten processes spare a real server that hangs, and ask Redis less than twice a call",
    missing,
  ),
  async () => {
    const outage: Outage = { trouble: "hangs", lasts: 10_000 };

    const result = await play(outage);

    for (const line of linesOf(result)) console.log(line);
    expect(claimsOf(outage, result).filter(({ holds }) => !holds)).toEqual([]);
  },
);
