import { describe, expect, it } from "vitest";
import { simulationClock } from "../../src/simulation/clock.js";
import { Network, type NetworkOptions } from "./network.js";

/** A store that counts, and has news of every tenth. */
const counter = () => {
  let count = 0;
  return {
    exchange: (by: number, now: number) => {
      count += by;
      return { reply: `${count} at ${now}`, news: count % 10 === 0 ? count : undefined };
    },
  };
};

const networkOf = (options: Partial<NetworkOptions> = {}, random = () => 0.5) => {
  const clock = simulationClock();
  const network = new Network(clock, random, { latency: 4, loss: 0, newsLoss: 0, events: [], ...options }, counter);
  const seen: string[] = [];
  const send = (index: number, at: number, by = 1) => {
    clock.setTimer(() => {
      const reply = network.transport(index).exchange(by);
      reply.then((text) => seen.push(`client ${index}: ${text}, back at ${clock.now()}`));
    }, at);
  };
  const listen = (index: number) =>
    network.transport(index).onNews((news) => seen.push(`client ${index} hears ${news} at ${clock.now()}`));
  return { clock, network, seen, send, listen };
};

describe("the network to a store", () => {
  it("takes half of its latency for each way, and has one store for all", async () => {
    const { clock, seen, send } = networkOf();
    send(0, 0);
    send(1, 1);

    await clock.run();

    expect(seen).toEqual(["client 0: 1 at 2, back at 4", "client 1: 2 at 3, back at 5"]);
  });

  it("brings news to all that listen, also to who caused them, until they no longer do", async () => {
    const { clock, seen, send, listen } = networkOf();
    listen(0);
    const off = listen(1);
    clock.setTimer(off, 5);
    send(0, 0, 10);
    send(0, 10, 10);

    await clock.run();

    expect(seen.filter((line) => line.includes("hears"))).toEqual([
      "client 0 hears 10 at 4",
      "client 1 hears 10 at 4",
      "client 0 hears 20 at 14",
    ]);
  });

  it("loses requests and replies alike", async () => {
    const draws = [0.05, 0.5, 0.05, 0.5, 0.5];
    const { clock, seen, send } = networkOf({ loss: 0.1 }, () => draws.shift()!);
    for (const at of [0, 10, 20]) send(0, at);

    await clock.run();

    expect(seen).toEqual(["client 0: 2 at 22, back at 24"]);
  });

  it("loses news on its way to one of those that listen", async () => {
    const draws = [0.05, 0.5];
    const { clock, network, seen, send, listen } = networkOf({ newsLoss: 0.1 }, () => draws.shift()!);
    listen(0);
    listen(1);
    send(0, 0, 10);

    await clock.run();

    expect(seen).toEqual(["client 1 hears 10 at 4", "client 0: 10 at 2, back at 4"]);
    expect(network.news).toBe(1);
  });

  it("reaches nobody while the store is unreachable, and finds it as it was", async () => {
    const { clock, seen, send } = networkOf({ events: [{ kind: "unreachable", at: 10, lasts: 10 }] });
    send(0, 0);
    send(0, 9);
    send(0, 15);
    send(0, 21);

    await clock.run();

    expect(seen).toEqual(["client 0: 1 at 2, back at 4", "client 0: 2 at 23, back at 25"]);
  });

  it("loses a reply that is under way when the store goes", async () => {
    const { clock, seen, send } = networkOf({ events: [{ kind: "unreachable", at: 3, lasts: 10 }] });
    send(0, 0);
    send(0, 20);

    await clock.run();

    expect(seen).toEqual(["client 0: 2 at 22, back at 24"]);
  });

  it("cuts off those whom an event names", async () => {
    const cut = { kind: "unreachable", at: 0, lasts: 10, clients: (index: number) => index === 0 } as const;
    const { clock, seen, send } = networkOf({ events: [cut] });
    send(0, 5);
    send(1, 5);

    await clock.run();

    expect(seen).toEqual(["client 1: 1 at 7, back at 9"]);
  });

  it("forgets everything where it is wiped", async () => {
    const { clock, seen, send } = networkOf({ events: [{ kind: "wiped", at: 5 }] });
    send(0, 0);
    send(0, 5);

    await clock.run();

    expect(seen).toEqual(["client 0: 1 at 2, back at 4", "client 0: 1 at 7, back at 9"]);
  });

  it("counts by the second what the store has answered", async () => {
    const { clock, network, send } = networkOf();
    for (const at of [0, 500, 998, 2_500]) send(0, at);

    await clock.run();

    expect(network.exchanges).toEqual([2, 1, 1]);
  });
});
