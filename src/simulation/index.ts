export type {
  Outage,
  OutageKind,
  Send,
  SimulatedCall,
  SimulatedClient,
  SimulatedSecond,
  SimulatedServerOptions,
  SimulateOptions,
  SimulationResult,
} from "./options.js";
export { simulate } from "./simulate.js";
