export { certificate, expiredCertificate } from "./certificates.js";
export { type DeadPort, deadPort, unresolvable } from "./dead-port.js";
export { drive } from "./drive.js";
export { goaway, refuseStream } from "./http2-steps.js";
export { type Nginx, type NginxConfig, nginx, nginxAvailable, whyNoNginx } from "./nginx.js";
export { openSockets, socketsClosed } from "./open-sockets.js";
export { type ScriptedServer, type ServerOptions, scriptedServer } from "./scripted-server.js";
export type { Script, SeenRequest, Step } from "./step.js";
export {
  closeKeptAlive,
  endlessBody,
  hang,
  hangInBody,
  oneMegabyte,
  resetBeforeHeaders,
  resetInBody,
  respond,
  respondThenClose,
  whileUploading,
} from "./steps.js";
