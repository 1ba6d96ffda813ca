import fastify from "fastify";
import { retry, stopAfterAttempt } from "undaunted";
import { answerFailure } from "undaunted/server";
import { loadUser } from "../users.js";

const getUser = retry(loadUser, { stop: stopAfterAttempt(3) });

export const app = fastify();
app.get<{ Params: { id: string } }>("/users/:id", async (request, reply) => {
  const controller = new AbortController();
  reply.raw.on("close", () => controller.abort()); // the client has gone: nobody waits for another attempt
  return getUser.with({ signal: controller.signal })(request.params.id);
});
app.setErrorHandler(async (error, _request, reply) => {
  const response = answerFailure(error);
  reply.status(response.status).headers(Object.fromEntries(response.headers));
  return response.text();
});
