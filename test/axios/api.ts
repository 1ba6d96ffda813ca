import { setImmediate } from "node:timers/promises";
import axios, { type AxiosInstance, type CreateAxiosDefaults } from "axios";
import type { RetryState } from "undaunted";
import { type AxiosRetries, type RetryAxiosOptions, retryAxios } from "undaunted/axios";
import { type VirtualClock, virtualClock } from "undaunted/testing";
import { expect, onTestFinished } from "vitest";
import { drive, type Script, type ScriptedServer, type ServerOptions, scriptedServer } from "../http/servers/index.js";

export async function serving(script: Script, options?: ServerOptions): Promise<ScriptedServer> {
  const server = await scriptedServer(script, options);
  onTestFinished(() => server.close());
  return server;
}

export interface Api {
  readonly api: AxiosInstance;
  readonly retries: AxiosRetries;
  /** The policy's time: it goes on by itself whenever a call sleeps. */
  readonly clock: VirtualClock;
  /** ms of each sleep. */
  readonly delays: readonly number[];
  /** Why calls gave up. */
  readonly reasons: readonly string[];
}

/** A retried instance of axios whose calls never really wait. */
export function retried(config: CreateAxiosDefaults, options: RetryAxiosOptions = {}): Api {
  const api = axios.create(config);
  const policy = unwaiting(options);
  return { api, retries: retryAxios(api, policy.options), ...policy };
}

/** Options under which no call really waits. */
export function unwaiting(options: RetryAxiosOptions = {}) {
  const clock = virtualClock();
  const { hooks, delays } = drive(clock);
  const reasons: string[] = [];
  const own: RetryAxiosOptions = {
    clock,
    random: () => 0,
    ...options,
    onRetry: (state: RetryState) => {
      options.onRetry?.(state);
      hooks.onRetry(state);
    },
    onGiveUp: (state) => {
      reasons.push(state.reason);
      return options.onGiveUp?.(state);
    },
  };
  return { clock, delays, reasons, options: own };
}

/** What a call rejects with. */
export function failureOf(call: Promise<unknown>): Promise<any> {
  return call.then(
    () => expect.fail("the call has succeeded"),
    (error: unknown) => error,
  );
}

/** Resolves once no request is under way: idle connections are ended, also those that undici opens ahead of need. */
export async function released(server: ScriptedServer): Promise<void> {
  while (server.connections.open > 0) {
    server.endIdle();
    await setImmediate();
  }
}
