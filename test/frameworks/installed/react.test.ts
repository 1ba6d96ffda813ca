import { JSDOM } from "jsdom";
import { act, createElement, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { testRetries } from "undaunted/testing";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useRetried } from "./recipes/react.js";

const { window } = new JSDOM("<main></main>");
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });

let root: Root;
let page: HTMLElement;
let signals: AbortSignal[];
beforeEach(() => {
  page = window.document.querySelector("main")!;
  root = createRoot(page);
  signals = [];
});
afterEach(() => act(async () => root.unmount()));

type Load = (signal: AbortSignal) => Promise<string>;

function Name({ load }: { load: Load }) {
  const { value, error } = useRetried(load);
  return error === undefined ? (value ?? "loading") : String(error);
}

/** Notes the signal of each attempt. */
const noting =
  (load: (attempt: number) => Promise<string>): Load =>
  (signal) =>
    load(signals.push(signal));
const never = () => new Promise<string>(() => {});

it("a component shows what a later attempt returned", async () => {
  const quick = testRetries({ waits: false });
  const load = noting(async (attempt) => (attempt < 3 ? Promise.reject(new Error("busy")) : "Ada"));

  await act(async () => root.render(createElement(Name, { load })));
  await expect.poll(() => act(async () => page.textContent)).toBe("Ada");

  expect(signals).toHaveLength(3);
  quick.restore();
});

it("a component that goes cancels the attempt that runs, and no other follows", async () => {
  await act(async () => root.render(createElement(Name, { load: noting(never) })));
  expect(page.textContent).toBe("loading");

  await act(async () => root.unmount());

  expect(signals.map((signal) => signal.aborted)).toEqual([true]);
});

it("a component that goes ends the sleep between two attempts", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const load = noting(async () => Promise.reject(new Error("busy")));
  await act(async () => root.render(createElement(Name, { load })));
  const sleeping = vi.getTimerCount();

  await act(async () => root.unmount());

  expect([sleeping, vi.getTimerCount()]).toEqual([1, 0]);
  expect(signals).toHaveLength(1);
  vi.useRealTimers();
});

it("another function cancels the call of the one before", async () => {
  await act(async () => root.render(createElement(Name, { load: noting(never) })));

  await act(async () => root.render(createElement(Name, { load: noting(async () => "Grace") })));

  expect(page.textContent).toBe("Grace");
  expect(signals[0]!.aborted).toBe(true);
});

it("React's strict mode, which mounts twice, leaves one call", async () => {
  await act(async () => root.render(createElement(StrictMode, null, createElement(Name, { load: noting(never) }))));

  expect(signals.map((signal) => signal.aborted)).toEqual([true, false]);
});
