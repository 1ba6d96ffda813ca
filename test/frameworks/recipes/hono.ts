import { Hono } from "hono";
import { retry, stopAfterAttempt } from "undaunted";
import { answerFailure } from "undaunted/server";
import { loadUser } from "../users.js";

const getUser = retry(loadUser, { stop: stopAfterAttempt(3) });

export const app = new Hono();
app.get("/users/:id", async (c) => {
  const { signal } = c.req.raw; // aborts when the client goes
  return c.json(await getUser.with({ signal })(c.req.param("id")));
});
app.onError((error) => answerFailure(error));
