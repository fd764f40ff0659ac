/**
 * All mutants, by what they are about.
 *
 * @module
 */

import { BACKGROUND } from "./background.ts";
import { COMPACTION } from "./compaction.ts";
import { DURABILITY } from "./durability.ts";
import { FORMATS } from "./formats.ts";
import type { Mutant } from "./mutant.ts";
import { READS } from "./reads.ts";
import { RECOVERY } from "./recovery.ts";
import { VERIFICATION } from "./verification.ts";
import { WRITES } from "./writes.ts";

/** All mutants. */
export const MUTANTS: readonly Mutant[] = [
  ...DURABILITY,
  ...RECOVERY,
  ...FORMATS,
  ...WRITES,
  ...READS,
  ...COMPACTION,
  ...BACKGROUND,
  ...VERIFICATION,
];
