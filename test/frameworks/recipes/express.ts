import express, { type ErrorRequestHandler } from "express";
import { retry, stopAfterAttempt } from "undaunted";
import { answerFailure, deadlineOf } from "undaunted/server";
import { loadUser } from "../users.js";

const getUser = retry(loadUser, { stop: stopAfterAttempt(3) });

const onError: ErrorRequestHandler = async (error, _req, res, _next) => {
  const response = answerFailure(error);
  res.status(response.status).set(Object.fromEntries(response.headers));
  res.send(await response.text());
};

export const app = express();
app.get("/users/:id", async (req, res) => {
  const totalTimeout = deadlineOf(req, { max: 5_000 });
  res.json(await getUser.with({ totalTimeout })(req.params.id));
});
app.use(onError);
