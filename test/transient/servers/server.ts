import { PATIENCE } from "../../limits.js";
import { freePort } from "./free-port.js";
import type { Account } from "./installed.js";
import { type Running, ThrowAway } from "./throw-away.js";
import { Hopeless, until, within } from "./until.js";

/** What a configuration file would hold. */
export type Settings = Readonly<Record<string, string | number>>;

/** How one kind of server is made and spoken to. */
export interface Recipe {
  readonly name: string;
  readonly account?: Account | undefined;
  /** A program that fills the folder, run once. */
  readonly fill?: (folder: string) => readonly [program: string, ...args: string[]];
  readonly command: (place: { folder: string; port: number }, settings: Settings) => readonly [string, ...string[]];
  /** Resolves if the server answers as one that is ready does. */
  readonly greet: (port: number) => Promise<void>;
  /** Asks it to end, in the manner that the name says. */
  readonly signals: Readonly<Record<string, NodeJS.Signals>>;
  /** What it says when it ends at once only since the last one has not ended wholly. */
  readonly heldUp?: RegExp;
  /** Frees what a server that was killed leaves outside its folder. */
  readonly cleanUp?: (folder: string) => void;
}

export interface Server {
  readonly host: "127.0.0.1";
  /** The same after each start. */
  readonly port: number;
  readonly folder: string;
  /** Starts it again, and waits until it is ready. Its data are what they were. */
  start(settings?: Settings): Promise<void>;
  /** Starts it again without waiting: it may refuse, or answer that it is not ready. */
  begin(settings?: Settings): Promise<void>;
  /** Waits until it is ready. */
  ready(): Promise<void>;
  /** Asks it to end, and waits until it has. */
  stop(how?: string): Promise<void>;
  /** Ends it with SIGKILL, as if it had crashed. */
  kill(): Promise<void>;
  /** Holds the process that listens (SIGSTOP), until `thaw`. The system still completes connections for it, a few. */
  freeze(): void;
  thaw(): void;
  /** Ends it and deletes its folder. */
  close(): Promise<void>;
  /** What it has written to its log so far. */
  log(): string;
}

/** Makes a server with data of its own, and starts it. */
export async function serverOf(recipe: Recipe, settings: Settings = {}): Promise<Server> {
  const place = new ThrowAway(recipe.name, recipe.account);
  const server = new ThrowAwayServer(recipe, place, await freePort(), settings);
  try {
    await server.fill();
    await server.start();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

class ThrowAwayServer implements Server {
  readonly host = "127.0.0.1";
  readonly folder: string;
  #running: Running | undefined;
  /** How long the log was when it was started last. */
  #logged = 0;

  constructor(
    private readonly recipe: Recipe,
    private readonly place: ThrowAway,
    readonly port: number,
    private readonly settings: Settings,
  ) {
    this.folder = place.folder;
  }

  async fill(): Promise<void> {
    if (!this.recipe.fill) return;
    await this.#run(this.recipe.fill(this.folder));
    await within(this.#running!.ended, PATIENCE, () => this.#complaint("could not be initialised"));
  }

  async start(settings: Settings = {}): Promise<void> {
    await this.begin(settings);
    await this.ready(settings);
  }

  async begin(settings: Settings = {}): Promise<void> {
    if (this.#running?.isRunning) throw new Error(`${this.recipe.name} is running already`);
    await this.#run(this.recipe.command(this, { ...this.settings, ...settings }));
  }

  async ready(settings: Settings = {}): Promise<void> {
    const attempt = async () => {
      if (!this.#running?.isRunning) await this.#beginAgain(settings);
      await this.recipe.greet(this.port);
    };
    await until(attempt, PATIENCE, () => this.#complaint("is not ready"));
  }

  async #beginAgain(settings: Settings): Promise<void> {
    const said = this.log().slice(this.#logged);
    if (!this.recipe.heldUp?.test(said)) throw new Hopeless(this.#complaint("has ended"));
    await this.begin(settings);
  }

  async stop(how = Object.keys(this.recipe.signals)[0]!): Promise<void> {
    const signal = this.recipe.signals[how];
    if (!signal) throw new Error(`${this.recipe.name} cannot be stopped in the manner ${how}`);
    await this.#end(signal);
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  freeze(): void {
    this.#running?.signal("SIGSTOP");
  }

  thaw(): void {
    this.#running?.signal("SIGCONT");
  }

  async close(): Promise<void> {
    await this.kill();
    this.recipe.cleanUp?.(this.folder);
    await this.place.close();
  }

  log(): string {
    return this.place.log();
  }

  async #run([program, ...args]: readonly [string, ...string[]]): Promise<void> {
    this.#logged = this.log().length;
    this.#running = await this.place.start(program, args);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (!this.#running?.isRunning) return;
    this.#running.signal(signal);
    await within(this.#running.ended, PATIENCE, () => this.#complaint(`has not ended by ${signal}`));
  }

  #complaint(what: string): string {
    return `${this.recipe.name} ${what}; its log:\n${this.log().slice(-2_000)}\n`;
  }
}
