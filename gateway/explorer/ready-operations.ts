/**
 * The ready-made operations of a folder, and which of them a schema allows. A file's first comment names its
 * group; the comment right above an operation is its note, and a line `# Example: {…}` there holds its variables.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type DefinitionNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  TokenKind,
  validate,
  visit,
} from 'graphql';
import { exampleVariables } from './example-variables.ts';
import type { ReadyOperation } from './session.ts';

interface Written {
  readonly group: string;
  readonly note: string | null;
  readonly example: object | null;
  readonly operation: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
}

export class ReadyOperations {
  readonly #written: readonly Written[];
  readonly #allowed = new WeakMap<GraphQLSchema, readonly ReadyOperation[]>();

  private constructor(written: readonly Written[]) {
    this.#written = written;
  }

  /** Rejects where a file of the folder is no GraphQL; no folder holds none. */
  static async read(folder: string): Promise<ReadyOperations> {
    if (folder === '') return new ReadyOperations([]);
    const names = (await readdir(folder)).filter((name) => name.endsWith('.graphql')).sort();
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    return new ReadyOperations(texts.flatMap((text, index) => operationsIn(text, names[index]!)));
  }

  /** Those that are valid for the schema. */
  for(schema: GraphQLSchema): readonly ReadyOperation[] {
    const known = this.#allowed.get(schema);
    if (known) return known;
    const allowed = this.#written.flatMap((written) => offer(written, schema) ?? []);
    this.#allowed.set(schema, allowed);
    return allowed;
  }
}

function operationsIn(text: string, file: string): Written[] {
  const { definitions } = parse(text);
  const fragments = new Map(
    definitions
      .filter((each) => each.kind === Kind.FRAGMENT_DEFINITION)
      .map((each) => [each.name.value, each]),
  );
  const [first] = commentsAbove(definitions[0]);
  const group = first && first.line === 1 ? first.text : file.replace(/\.graphql$/, '');
  return definitions
    .filter((each) => each.kind === Kind.OPERATION_DEFINITION)
    .map((operation) => {
      const lines = commentsAbove(operation).filter(({ line }) => line > 1);
      const example = lines.find((line) => line.text.startsWith('Example:'));
      const note = lines.filter((line) => line !== example).map((line) => line.text);
      return {
        group,
        note: note.length > 0 ? note.join(' ') : null,
        example: example ? (JSON.parse(example.text.slice('Example:'.length)) as object) : null,
        operation,
        fragments,
      };
    });
}

function commentsAbove(node: DefinitionNode | undefined): { line: number; text: string }[] {
  const comments: { line: number; text: string }[] = [];
  for (let token = node?.loc?.startToken.prev; token?.kind === TokenKind.COMMENT; token = token.prev)
    comments.unshift({ line: token.line, text: token.value.trim() });
  return comments;
}

function offer(written: Written, schema: GraphQLSchema): ReadyOperation | null {
  const { operation, fragments, group, note, example } = written;
  const used = usedBy(operation, fragments);
  // The rules of validation are silent where the schema has no such root type at all.
  if (!operation.name || !used || !schema.getRootType(operation.operation)) return null;
  const document = { kind: Kind.DOCUMENT, definitions: [operation, ...used] } as const;
  if (validate(schema, document).length > 0) return null;
  return {
    name: operation.name.value,
    kind: operation.operation,
    group,
    note,
    document: print(document),
    variables: JSON.stringify(example ?? exampleVariables(schema, operation), null, 2),
  };
}

/** The fragments that an operation needs, in the order of their need; `null` where one is missing. */
function usedBy(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): readonly FragmentDefinitionNode[] | null {
  const used = new Set<FragmentDefinitionNode>();
  let missing = false;
  const collect = (node: DefinitionNode): void => {
    visit(node, {
      FragmentSpread({ name }) {
        const fragment = fragments.get(name.value);
        if (!fragment) missing = true;
        else if (!used.has(fragment)) {
          used.add(fragment);
          collect(fragment);
        }
      },
    });
  };
  collect(operation);
  return missing ? null : [...used];
}
