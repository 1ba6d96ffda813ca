import {
  type CallOptions,
  type ChannelOptions,
  type Client,
  type ClientUnaryCall,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { freePort } from "./free-port.js";

/** What the server does with one call. */
export type GrpcStep =
  | { readonly value: unknown }
  | { readonly code: number; readonly details?: string; readonly trailers?: Readonly<Record<string, string>> }
  /** Never answers. */
  | "hang";

type Handle = (call: ClientUnaryCall) => void;

export interface GrpcClient {
  /** Calls the method; `handle` gets the call, which can be cancelled. */
  call(value: unknown, options?: CallOptions, handle?: Handle): Promise<unknown>;
  /** Calls a method that the server does not have. */
  callMissing(): Promise<unknown>;
  close(): void;
}

export interface Grpc {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** What it was called with, in the order of the calls. */
  readonly calls: readonly unknown[];
  /** The n-th call from now gets the n-th step, and those that follow the last. */
  script(...steps: readonly [GrpcStep, ...GrpcStep[]]): void;
  /** Resolves once so many calls have arrived in all. */
  called(times: number): Promise<void>;
  /** A client, of a proxy to this server where one is given. */
  client(options?: ChannelOptions, through?: { readonly port: number }): GrpcClient;
  /** Ends at once, whatever is under way. */
  stop(): void;
  start(): Promise<void>;
  /** Ends, and closes every client that it made. */
  close(): void;
}

const toBytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const fromBytes = (bytes: Buffer): unknown => JSON.parse(bytes.toString());

const unary = (path: string) => ({
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: toBytes,
  requestDeserialize: fromBytes,
  responseSerialize: toBytes,
  responseDeserialize: fromBytes,
});

const SERVICE: ServiceDefinition = { call: unary("/undaunted.Tests/Call") };
const WANTED: ServiceDefinition = { ...SERVICE, missing: unary("/undaunted.Tests/Missing") };

type Method = (
  value: unknown,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: Error | null, value: unknown) => void,
) => ClientUnaryCall;

interface CallingClient extends Client {
  readonly call: Method;
  readonly missing: Method;
}

const TestsClient = makeGenericClientConstructor(WANTED, "Tests");

/** Starts a gRPC server in this process, with one unary method that takes and gives JSON. */
export async function startGrpc(): Promise<Grpc> {
  const server = new ScriptedGrpc(await freePort());
  await server.start();
  return server;
}

class ScriptedGrpc implements Grpc {
  readonly host = "127.0.0.1";
  readonly calls: unknown[] = [];
  readonly #clients: Client[] = [];
  #steps: readonly GrpcStep[] = [{ value: "ok" }];
  #waiting: { times: number; resolve: () => void }[] = [];
  #server: Server | undefined;

  constructor(readonly port: number) {}

  script(...steps: readonly GrpcStep[]): void {
    this.#steps = steps;
  }

  called(times: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ times, resolve });
      this.#tellWaiting();
    });
  }

  client(options: ChannelOptions = {}, { port }: { readonly port: number } = this): GrpcClient {
    const address = `127.0.0.1:${port}`;
    const client = new TestsClient(address, credentials.createInsecure(), options) as unknown as CallingClient;
    this.#clients.push(client);
    const send = (method: "call" | "missing", value: unknown, callOptions: CallOptions, handle?: Handle) =>
      new Promise((resolve, reject) => {
        const call = client[method](value, new Metadata(), callOptions, (error, answer) => {
          if (error) reject(error);
          else resolve(answer);
        });
        handle?.(call);
      });
    return {
      call: (value, callOptions = {}, handle) => send("call", value, callOptions, handle),
      callMissing: () => send("missing", null, {}),
      close: () => client.close(),
    };
  }

  async start(): Promise<void> {
    const server = new Server();
    server.addService(SERVICE, {
      call: (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) => this.#answer(call, callback),
    });
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.port}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      );
    });
    this.#server = server;
  }

  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.stop();
  }

  #answer(call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>): void {
    const step = this.#steps[0]!;
    if (this.#steps.length > 1) this.#steps = this.#steps.slice(1);
    this.calls.push(call.request);
    this.#tellWaiting();
    if (step === "hang") return;
    if ("value" in step) return callback(null, step.value);
    const trailers = new Metadata();
    for (const [key, value] of Object.entries(step.trailers ?? {})) trailers.set(key, value);
    callback({ code: step.code, details: step.details ?? "scripted", metadata: trailers });
  }

  #tellWaiting(): void {
    for (const { times, resolve } of this.#waiting) if (this.calls.length >= times) resolve();
    this.#waiting = this.#waiting.filter(({ times }) => this.calls.length < times);
  }
}
