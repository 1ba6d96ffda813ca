export { publishEvents } from "./publish.js";
