export {
  type AxiosRequest,
  type AxiosRetries,
  type RetryAxiosOptions,
  retryAxios,
} from "./retry-axios.js";
