import { fleetOf } from "../../src/fleet/index.js";
import type { FleetOptions } from "../../src/fleet/options.js";
import type { FleetNews, FleetReply, FleetRequest } from "../../src/fleet/protocol.js";
import { fleetStore } from "../../src/fleet/store/index.js";
import { seededRandom } from "../../src/testing/seeded-random.js";
import { virtualClock } from "../../src/testing/virtual-clock.js";

/** A store in memory that several processes reach at once, on virtual time, and what can happen on the way. */
export function fleetOfProcesses(seed = 1) {
  const clock = virtualClock();
  const random = seededRandom(seed);
  let store = fleetStore();
  const listeners = new Set<(news: FleetNews) => void>();
  const way = {
    /** Requests that the store has had. */
    requests: [] as FleetRequest[],
    /** What becomes of a request: by default its reply. */
    carry: (reply: () => FleetReply): Promise<FleetReply> => Promise.resolve().then(reply),
    pushes: true,
    /** ms by which the store's clock is ahead of what it was. */
    ahead: 0,
  };
  const transport = {
    exchange: (request: FleetRequest) =>
      way.carry(() => {
        way.requests.push(request);
        const { reply, news } = store.exchange(request, clock.now() + 1e6 + way.ahead);
        if (news && way.pushes) for (const listener of [...listeners]) listener(news);
        return reply;
      }),
    onNews(listener: (news: FleetNews) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    clock,
    random,
    way,
    listeners,
    /** The store loses its memory. */
    wipe() {
      store = fleetStore();
    },
    /** A process of the fleet. */
    join: (options: Partial<FleetOptions> = {}) => fleetOf({ transport, name: "test", clock, random, ...options }),
    /** ms pass, with what is due in them. */
    pass: (ms: number) => clock.advance(ms),
  };
}

/** What never comes. */
export const never = (): Promise<never> => new Promise(() => {});
