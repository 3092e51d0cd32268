// The AI SDK with its providers for OpenAI and for what is compatible with it.
import { LONG, MATERIAL, MOST_TOKENS, aText, anObject, byTheSchema, load, serve, theCalls } from './protocol.mjs'

const { Output, embedMany, generateText, jsonSchema, stepCountIs, streamText, tool } = await load('ai')
const { createOpenAI } = await load('@ai-sdk/openai')
const { createOpenAICompatible } = await load('@ai-sdk/openai-compatible')

const place = { baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY }
const settings = { ...place, name: 'spillway', includeUsage: true, supportsStructuredOutputs: true }
const compatible = createOpenAICompatible(settings)
const openai = createOpenAI(place)

const usual = { maxRetries: 0, maxOutputTokens: MOST_TOKENS, prompt: MATERIAL.question }
const chat = (model, more) => generateText({ ...usual, model: compatible(model), ...more })
const run = async () => MATERIAL.result
const tools = (execute) =>
  Object.fromEntries(
    ['look_up', 'refund'].map((name) => {
      const { description, parameters } = MATERIAL[name]
      return [name, tool({ description, inputSchema: jsonSchema(parameters), execute })]
    }),
  )
const one = (execute) => ({ look_up: tools(execute).look_up })
const called = (calls) => theCalls(calls.map((call) => [call.toolName, call.input]))
const usageOf = (usage) => (usage.outputTokens ? 'usage' : 'no usage')

// A stream's errors are events of it.
function stream(model, more) {
  let failed
  const result = streamText({ ...usual, model: compatible(model), onError: ({ error }) => { failed = error }, ...more })
  const end = async () => {
    await result.consumeStream()
    if (failed) throw failed
    return result
  }
  return { result, end }
}

await serve({
  async whole(model) {
    const { text, usage } = await chat(model)
    return `${aText(text)}, ${usageOf(usage)}`
  },
  async streamed(model) {
    const result = await stream(model).end()
    return `${aText(await result.text)}, ${usageOf(await result.usage)}`
  },
  async tools(model) {
    const { steps, text } = await chat(model, { prompt: MATERIAL.one_call, tools: one(run), stopWhen: stepCountIs(2) })
    return `${called(steps[0].toolCalls)}, ${aText(text)}`
  },
  async 'streamed tools'(model) {
    const result = await stream(model, { prompt: MATERIAL.one_call, tools: one() }).end()
    return called(await result.toolCalls)
  },
  async 'parallel tools'(model) {
    return called((await chat(model, { prompt: MATERIAL.two_calls, tools: tools() })).toolCalls)
  },
  async 'one tool at a time'(model) {
    const providerOptions = { openai: { parallelToolCalls: false } }
    const asked = { model: openai.chat(model), prompt: MATERIAL.two_calls, tools: tools(), providerOptions }
    return called((await chat(model, asked)).toolCalls)
  },
  async 'a forced tool'(model) {
    const toolChoice = { type: 'tool', toolName: 'look_up' }
    return called((await chat(model, { prompt: MATERIAL.one_call, tools: tools(), toolChoice })).toolCalls)
  },
  async 'JSON object'(model) {
    return anObject((await chat(model, { prompt: MATERIAL.json, output: Output.json() })).output)
  },
  async 'JSON schema'(model) {
    const output = Output.object({ schema: jsonSchema(MATERIAL.schema) })
    return byTheSchema((await chat(model, { prompt: MATERIAL.json, output })).output)
  },
  async images(model) {
    const content = [{ type: 'text', text: MATERIAL.picture }, { type: 'image', image: MATERIAL.image }]
    return aText((await chat(model, { prompt: undefined, messages: [{ role: 'user', content }] })).text)
  },
  async logprobs(model) {
    const providerOptions = { openai: { logprobs: 2 } }
    const { finalStep } = await chat(model, { model: openai.chat(model), providerOptions })
    return finalStep.providerMetadata?.openai?.logprobs?.length ? 'probabilities' : 'no probabilities'
  },
  async 'a long prompt'(model) {
    return aText((await chat(model, { prompt: LONG })).text)
  },
  async reasoning(model) {
    const providerOptions = { spillway: { reasoningEffort: 'low' } }
    const { reasoningText, text } = await chat(model, { maxOutputTokens: 400, providerOptions })
    return `${reasoningText ? 'thoughts' : 'no thoughts'}, ${aText(text)}`
  },
  async embeddings(model) {
    const asked = { model: compatible.embeddingModel(model), values: MATERIAL.texts, maxRetries: 0 }
    const { embeddings } = await embedMany(asked)
    return `${embeddings.length} vectors`
  },
  async responses(model) {
    return aText((await chat(model, { model: openai.responses(model), maxOutputTokens: 400 })).text)
  },
  async 'hang-up'(model) {
    const leaving = new AbortController()
    for await (const _ of stream(model, { abortSignal: leaving.signal }).result.textStream) break
    leaving.abort()
    return `${aText((await chat(model)).text)} after it`
  },
  async 'unknown model'() {
    return aText((await chat(MATERIAL.nobody)).text)
  },
  async 'wrong key'(model) {
    const other = createOpenAICompatible({ ...settings, apiKey: MATERIAL.wrong_key })
    return aText((await chat(model, { model: other(model) })).text)
  },
})
