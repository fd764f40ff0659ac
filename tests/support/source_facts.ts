/**
 * What a source file says about itself, read from its syntax tree: what it imports, which names it takes from
 * the world outside, how it registers tests.
 *
 * The tree comes from the runtime's own linter, which runs a plugin on a text with no permission and no file. A search
 * for words in the text would be shorter, and would stumble over comments, strings and property names:
 * `entry.process` is no use of `process`.
 *
 * @module
 */

/** One import, re-export, `import()` or type import. */
export interface Import {
  /** What is imported, as written. */
  readonly specifier: string;
  /** Whether it is gone after the types are stripped. */
  readonly typeOnly: boolean;
  /** The names asked for; `*` for all of them. */
  readonly names: readonly string[];
}

/** All that the rules ask about a file. */
export interface SourceFacts {
  /** Its path in the checkout. */
  readonly path: string;
  /** Its text. */
  readonly text: string;
  /** Its imports, in order. */
  readonly imports: readonly Import[];
  /** All strings that are a path of a TypeScript file: imports, and what becomes a Worker or a process. */
  readonly paths: readonly string[];
  /** All names that are no part of another: no key, no property but those of `Math` and of `import.meta`. */
  readonly names: ReadonlySet<string>;
  /** All names of properties that are read. */
  readonly properties: ReadonlySet<string>;
  /** What it says about the running of tests: `Deno.test.only`, `ignore:`, `sanitizeOps:`. */
  readonly testSwitches: readonly string[];
}

const TEST_SWITCH = /^(sanitizeOps|sanitizeResources|sanitizeExit|ignore|only)$/;

/** Reads the facts of one file. */
export function sourceFacts(path: string, text: string): SourceFacts {
  const imports: Import[] = [];
  const paths: string[] = [];
  const names = new Set<string>();
  const properties = new Set<string>();
  const testSwitches: string[] = [];
  const visitor: Deno.lint.LintVisitor = {
    ImportDeclaration(node) {
      const specifiers = node.specifiers.map((specifier) =>
        specifier.type === "ImportSpecifier" ? nameOf(specifier.imported) : "*"
      );
      imports.push({
        specifier: node.source.value,
        typeOnly: node.importKind === "type",
        names: specifiers,
      });
    },
    ExportNamedDeclaration(node) {
      if (node.source === null) return;
      imports.push({
        specifier: node.source.value,
        typeOnly: node.exportKind === "type",
        names: node.specifiers.map((specifier) => nameOf(specifier.local)),
      });
    },
    ExportAllDeclaration(node) {
      imports.push({
        specifier: node.source.value,
        typeOnly: node.exportKind === "type",
        names: ["*"],
      });
    },
    ImportExpression(node) {
      const specifier = node.source.type === "Literal" ? String(node.source.value) : "(computed)";
      imports.push({ specifier, typeOnly: false, names: ["*"] });
    },
    TSImportType(node) {
      const argument = node.argument;
      if (argument.type !== "TSLiteralType" || argument.literal.type !== "Literal") return;
      imports.push({ specifier: String(argument.literal.value), typeOnly: true, names: ["*"] });
    },
    Literal(node) {
      if (typeof node.value === "string" && /^\.{1,2}\/.*\.ts$/.test(node.value)) paths.push(node.value);
    },
    MemberExpression(node) {
      const property = propertyOf(node);
      if (property === undefined) return;
      properties.add(property);
      if (node.object.type === "Identifier" && node.object.name === "Math") names.add(`Math.${property}`);
      if (node.object.type === "MetaProperty") names.add(`import.meta.${property}`);
      if (isDenoTest(node.object)) testSwitches.push(`Deno.test.${property}`);
    },
    Property(node) {
      const key = node.key.type === "Identifier" && !node.computed ? node.key.name : "";
      if (TEST_SWITCH.test(key) && isTestOption(node)) testSwitches.push(`${key}:`);
    },
    Identifier(node) {
      if (isUse(node)) names.add(node.name);
    },
  };
  const plugin: Deno.lint.Plugin = {
    name: "source-facts",
    rules: { collect: { create: () => visitor } },
  };
  Deno.lint.runPlugin(plugin, path, text);
  return { path, text, imports, paths, names, properties, testSwitches };
}

function nameOf(node: Deno.lint.Identifier | Deno.lint.StringLiteral): string {
  return node.type === "Identifier" ? node.name : node.value;
}

function propertyOf(node: Deno.lint.MemberExpression): string | undefined {
  if (!node.computed) return node.property.type === "Identifier" ? node.property.name : undefined;
  return node.property.type === "Literal" ? String(node.property.value) : undefined;
}

function isDenoTest(node: Deno.lint.Node): boolean {
  return node.type === "MemberExpression" && node.object.type === "Identifier" &&
    node.object.name === "Deno" && propertyOf(node) === "test";
}

/** Whether a property stands in an object that is an argument of `Deno.test` or of `t.step`. */
function isTestOption(node: Deno.lint.Property): boolean {
  const call = node.parent.parent;
  if (call?.type !== "CallExpression") return false;
  return isDenoTest(call.callee) ||
    (call.callee.type === "MemberExpression" && propertyOf(call.callee) === "step");
}

/** Whether a name stands for a variable or a type, not for a part of something. */
function isUse(node: Deno.lint.Identifier): boolean {
  const parent = node.parent;
  switch (parent.type) {
    case "MemberExpression":
      if (parent.object === node) return node.name !== "Math" || propertyOf(parent) === undefined;
      return parent.computed;
    case "Property":
      return parent.value === node || parent.computed;
    case "PropertyDefinition":
    case "MethodDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
    case "TSAbstractPropertyDefinition":
    case "TSAbstractMethodDefinition":
      return parent.key !== node || ("computed" in parent && parent.computed);
    case "TSQualifiedName":
      return parent.left === node;
    case "ImportSpecifier":
    case "ExportSpecifier":
    case "MetaProperty":
      return false;
    default:
      return true;
  }
}
