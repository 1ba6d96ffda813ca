export { type InstrumentOptions, instrument } from "./instrument.js";
export { requestHook } from "./request-hook.js";
