/** What stands in for fetch, as a function of numbers that `client` is to call with it: calls follow each other. */
export function overStandIn(fn, client) {
  let argument = 0;
  let value = 0;
  const fetch = client(async () => {
    value = await fn(argument);
    return new Response(null);
  });
  return async (x) => {
    argument = x;
    await fetch("http://localhost/");
    return value;
  };
}
