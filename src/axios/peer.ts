// The one place that imports it.
export { AxiosError, AxiosHeaders, default as axios, getAdapter } from "axios";
