export type { AxiosRequest } from "./axios-transport.js";
export {
  type AxiosRetries,
  type RetryAxiosOptions,
  retryAxios,
} from "./retry-axios.js";
