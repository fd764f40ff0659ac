/**
 * All mutants, by what they are about.
 *
 * @module
 */

import { DURABILITY } from "./durability.ts";
import type { Mutant } from "./mutant.ts";
import { RECOVERY } from "./recovery.ts";

/** All mutants. */
export const MUTANTS: readonly Mutant[] = [...DURABILITY, ...RECOVERY];
