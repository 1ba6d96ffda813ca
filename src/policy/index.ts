export {
  type CompiledForEngine,
  type CompilePolicyOptions,
  type CompileTarget,
  compilePolicy,
} from "./compile-policy.js";
export type {
  AwsRetryMode,
  Custom,
  DescribedPolicy,
  GrpcRetryPolicy,
  PolicyData,
  Ref,
  RetryIfData,
  StopData,
  WaitData,
} from "./data.js";
export { describePolicy } from "./described.js";
export {
  type LivePolicy,
  type LivePolicyOptions,
  livePolicy,
  type PolicyChange,
  type PolicySource,
} from "./live-policy.js";
export type { Loss } from "./plan.js";
export { policyFrom } from "./policy-from.js";
export type { Refs } from "./read.js";
