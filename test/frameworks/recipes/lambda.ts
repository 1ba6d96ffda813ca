import { retry, retryBudget, stopAfterAttempt } from "undaunted";
import { loadUser } from "../users.js";

// Outside of the handler: it lasts as long as the instance does.
const budget = retryBudget();
const getUser = retry(loadUser, { stop: stopAfterAttempt(4), budget });

interface Context {
  getRemainingTimeInMillis(): number;
}

export async function handler(event: { id: string }, context: Context) {
  const totalTimeout = context.getRemainingTimeInMillis() - 500; // leaves time to answer
  const user = await getUser.with({ totalTimeout })(event.id);
  return { statusCode: 200, body: JSON.stringify(user) };
}
