export type { HttpGiveUpReason, HttpGiveUpState } from "../http/options.js";
export {
  type AxiosRequest,
  type AxiosRetries,
  type RetryAxiosOptions,
  retryAxios,
} from "./retry-axios.js";
