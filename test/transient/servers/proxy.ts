import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort } from "./free-port.js";

/** How a connection is cut: by a reset (RST), or in good order (FIN) as a server does that stops. */
export type Cut = "reset" | "end";

export interface TcpProxy {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** How many connections it has now. */
  readonly connections: number;
  /** Ends `refuse`, `hang` and `delay`: what was held back goes on its way. */
  passThrough(): Promise<void>;
  /** Listens no longer. Connections that stand are left alone. */
  refuse(): Promise<void>;
  /** Holds everything back, in both directions; connections are still accepted. */
  hang(): void;
  /** Holds each chunk of an answer back for so many ms. */
  delay(ms: number): void;
  /** Cuts every connection now. */
  cut(how?: Cut): void;
  /** Cuts the next connection that gets an answer, after so many bytes of it. Resolves when it has. */
  cutInAnswer(bytes: number, how?: Cut): Promise<void>;
  /** Cuts the next connection that sends what `pattern` matches. The server got it and answered; the answer is lost. */
  cutAfter(pattern: RegExp, how?: Cut): Promise<void>;
  /** Cuts the next connection that sends what `pattern` matches. The server never gets it. */
  cutBefore(pattern: RegExp, how?: Cut): Promise<void>;
  close(): Promise<void>;
}

/** What is to happen once, to whichever connection it fits first. */
interface Plan {
  readonly how: Cut;
  readonly done: () => void;
  /** Matched against a request: of the next answer so many bytes pass. */
  readonly after?: RegExp;
  readonly before?: RegExp;
  bytes: number;
}

/** A TCP proxy that fails when it is told to. A pattern is matched against single chunks. */
export async function proxy(target: { readonly port: number }): Promise<TcpProxy> {
  const made = new FaultyProxy(await freePort(), target.port);
  await made.passThrough();
  return made;
}

/** ms */
const TIME_TO_READ = 20;

class FaultyProxy implements TcpProxy {
  readonly host = "127.0.0.1";
  readonly #links = new Set<Link>();
  #server: Server | undefined;
  plan: Plan | undefined;
  isHanging = false;
  delayed = 0;

  constructor(
    readonly port: number,
    private readonly target: number,
  ) {}

  get connections(): number {
    return this.#links.size;
  }

  async passThrough(): Promise<void> {
    this.isHanging = false;
    this.delayed = 0;
    for (const link of this.#links) link.resume();
    if (this.#server) return;
    this.#server = createServer((client) => {
      const link = new Link(this, client, connect(this.target, "127.0.0.1"), () => this.#links.delete(link));
      this.#links.add(link);
    }).listen(this.port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async refuse(): Promise<void> {
    // It no longer listens when this returns; "close" would wait for its connections.
    this.#server?.close();
    this.#server = undefined;
  }

  hang(): void {
    this.isHanging = true;
    for (const link of this.#links) link.pause();
  }

  delay(ms: number): void {
    this.delayed = ms;
  }

  cut(how: Cut = "reset"): void {
    for (const link of this.#links) link.cut(how);
  }

  cutInAnswer(bytes: number, how: Cut = "reset"): Promise<void> {
    return this.#planned({ bytes, how });
  }

  cutAfter(pattern: RegExp, how: Cut = "reset"): Promise<void> {
    return this.#planned({ after: pattern, bytes: 0, how });
  }

  cutBefore(pattern: RegExp, how: Cut = "reset"): Promise<void> {
    return this.#planned({ before: pattern, bytes: 0, how });
  }

  async close(): Promise<void> {
    await this.refuse();
    this.plan = undefined;
    this.cut();
  }

  #planned(plan: Omit<Plan, "done">): Promise<void> {
    return new Promise((done) => {
      this.plan = { ...plan, done };
    });
  }
}

/** A client's connection and the one to the server. */
class Link {
  /** What is to happen to this link's next answer. */
  #plan: Plan | undefined;
  #isCut = false;

  constructor(
    private readonly proxy: FaultyProxy,
    private readonly client: Socket,
    private readonly server: Socket,
    gone: () => void,
  ) {
    client.setNoDelay().on("data", (chunk) => this.#request(chunk));
    server.setNoDelay().on("data", (chunk) => this.#answer(chunk));
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on("error", () => {});
      socket.on("close", (failed) => {
        if (failed && !this.#isCut) other.resetAndDestroy();
        else other.destroySoon();
        gone();
      });
    }
    if (proxy.isHanging) this.pause();
  }

  pause(): void {
    this.client.pause();
    this.server.pause();
  }

  resume(): void {
    this.client.resume();
    this.server.resume();
  }

  cut(how: Cut): void {
    this.#isCut = true;
    if (how === "reset") this.client.resetAndDestroy();
    else this.client.destroySoon();
    this.server.destroySoon();
  }

  #request(chunk: Buffer): void {
    const { plan } = this.proxy;
    const text = chunk.toString("latin1");
    if (plan?.before?.test(text)) return this.#carryOut(plan);
    if (plan?.after?.test(text)) {
      this.proxy.plan = undefined;
      this.#plan = plan;
    }
    this.server.write(chunk);
  }

  #answer(chunk: Buffer): void {
    const general = this.proxy.plan;
    if (general && !general.after && !general.before) {
      this.proxy.plan = undefined;
      this.#plan = general;
    }
    const plan = this.#plan;
    if (!plan) return this.#send(chunk);
    if (chunk.length <= plan.bytes) {
      plan.bytes -= chunk.length;
      return this.#send(chunk);
    }
    // What the server still says is not for the client.
    this.server.pause();
    if (plan.bytes === 0) return this.#carryOut(plan);
    // A client that finds bytes and a reset at once tells only of an end (libuv): it gets the time to read them.
    this.client.write(chunk.subarray(0, plan.bytes), () => setTimeout(() => this.#carryOut(plan), TIME_TO_READ));
  }

  #send(chunk: Buffer): void {
    const { delayed } = this.proxy;
    if (delayed > 0) setTimeout(() => this.client.write(chunk), delayed);
    else this.client.write(chunk);
  }

  #carryOut(plan: Plan): void {
    if (this.proxy.plan === plan) this.proxy.plan = undefined;
    this.#plan = undefined;
    this.cut(plan.how);
    plan.done();
  }
}
