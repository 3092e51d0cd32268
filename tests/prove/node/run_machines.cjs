// Runs scenarios on aws-local-stepfunctions: `node run_machines.cjs <modules> < {definitions, scenarios} > ends`.
// An end has what tests/prove/interpreters.py compares.
const { readFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { StateMachine } = createRequire(`${process.argv[2]}/`)('aws-local-stepfunctions')

const { definitions, scenarios } = JSON.parse(readFileSync(0, 'utf8'))

// A function's failure as the Lambda integration reports it.
function failure({ error, cause }) {
  return Object.assign(new Error(cause), { name: error })
}

function each(states, type, value) {
  const named = Object.entries(states).filter(([, state]) => state.Type === type)
  return Object.fromEntries(named.map(([name]) => [name, value]))
}

function handlers(states, take, calls) {
  const handle = (input) => {
    calls.push([input.FunctionName, input.Payload])
    const answer = take(input.Payload) ?? { error: 'NotForeseen' }
    if (answer.error) throw failure(answer)
    return { StatusCode: 200, ExecutedVersion: '$LATEST', Payload: answer.body }
  }
  return each(states, 'Task', handle)
}

async function run({ machine, input, context, answers, inner }) {
  const definition = definitions[machine]
  const map = Object.values(definition.States).find((state) => state.Type === 'Map')
  const innerStates = map ? map.ItemProcessor.States : {}
  const calls = []
  const items = new Map()
  const ofItem = (payload) => {
    const key = JSON.stringify(payload)
    if (!items.has(key)) items.set(key, [...inner])
    return items.get(key).shift()
  }
  const all = { ...definition.States, ...innerStates }
  const execution = new StateMachine(definition).run(input, {
    context,
    overrides: {
      taskResourceLocalHandlers: {
        ...handlers(definition.States, () => answers.shift(), calls),
        ...handlers(innerStates, ofItem, calls),
      },
      waitTimeOverrides: each(all, 'Wait', 0),
      retryIntervalOverrides: { ...each(all, 'Task', 0), ...each(all, 'Map', 0) },
    },
  })
  const visited = []
  const end = {}
  execution.result.catch(() => {})
  for await (const event of execution.eventLogs) {
    if (event.type === 'StateEntered' && event.index === undefined) visited.push(event.state.name)
    if (event.type === 'ExecutionSucceeded') Object.assign(end, { status: 'SUCCEEDED', output: event.output })
    if (event.type === 'ExecutionFailed') Object.assign(end, { status: 'FAILED', error: event.Error, cause: event.Cause })
  }
  return { visited, calls, unused: answers.length, ...end }
}

async function main() {
  const ends = []
  for (const scenario of scenarios) ends.push(await run(scenario))
  // It keeps a timer for each machine's time-out.
  process.stdout.write(JSON.stringify(ends), () => process.exit(0))
}

main()
