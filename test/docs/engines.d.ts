// For blocks of the docs: the engines are installed in test/engines alone, whose tests hold the types of the adapters to theirs.
declare module "@dbos-inc/dbos-sdk";
declare module "@restatedev/restate-sdk";
declare module "bullmq";
declare module "graphile-worker";
declare module "pg-boss";
