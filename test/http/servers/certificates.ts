import { readFileSync } from "node:fs";

const read = (name: string): string => readFileSync(new URL(`../certs/${name}`, import.meta.url), "utf8");

export const privateKey = read("key.pem");
/** For localhost, 127.0.0.1 and ::1, signed by itself: a client trusts it where it is given as the `ca`. */
export const certificate = read("cert.pem");
export const expiredCertificate = read("expired.pem");
