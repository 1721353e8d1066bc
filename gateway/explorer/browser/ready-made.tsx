import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useState } from 'react';
import type { ReadyOperation } from '../session.ts';
import { Prose } from './parts.tsx';

const words = (name: string): string => name.replace(/([a-z\d])([A-Z])/g, '$1 $2');

export function ReadyMade({ operations }: { operations: readonly ReadyOperation[] }) {
  const [sought, setSought] = useState('');
  const { queryEditor, variableEditor } = useGraphiQL(({ queryEditor, variableEditor }) => ({
    queryEditor,
    variableEditor,
  }));
  const { addTab } = useGraphiQLActions();
  const fits = ({ name, group }: ReadyOperation): boolean =>
    `${name} ${words(name)} ${group}`.toLowerCase().includes(sought.trim().toLowerCase());
  const groups = Map.groupBy(operations.filter(fits), ({ group }) => group);

  const open = ({ document, variables }: ReadyOperation): void => {
    const written = queryEditor?.getValue().trim() ?? '';
    if (written !== '' && !written.startsWith('# Pick a ready-made')) addTab();
    queryEditor?.setValue(document);
    variableEditor?.setValue(variables === '{}' ? '' : variables);
    queryEditor?.setScrollTop(0);
    queryEditor?.focus();
  };

  return (
    <section className="ready-made" aria-label="Ready-made operations">
      <h2>Ready-made operations</h2>
      {operations.length > 8 && (
        <input
          type="search"
          placeholder="Find an operation"
          aria-label="Find an operation"
          value={sought}
          onChange={(event) => setSought(event.target.value)}
        />
      )}
      {[...groups].map(([group, members]) => (
        <section key={group}>
          <h3>{group}</h3>
          <ul>
            {members.map((operation) => (
              <li key={operation.name}>
                <button type="button" onClick={() => open(operation)} data-operation={operation.name}>
                  <span className={`kind ${operation.kind}`}>{operation.kind}</span>
                  <b>{words(operation.name)}</b>
                  {operation.note !== null && (
                    <small>
                      <Prose text={operation.note} />
                    </small>
                  )}
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
      {groups.size === 0 && <p className="hint">No operation has this in its name.</p>}
    </section>
  );
}
