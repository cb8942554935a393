"""The doors of the Lambda function: each reads one envelope, calls `ExecutionAgent.process`, and answers in kind.

telling            which door an event came through
direct, plan       a request, a plan of many, as the payload itself
undo               one action is taken back, where the settings allow that
bedrock_function   Bedrock Agents Classic, function details        bedrock_api   the same, API schema
agentcore          AgentCore Gateway, a Lambda target
http_api           Function URL, HTTP API (payload 2.0)
sqs, eventbridge   a queue of requests, a bus of requests
unknown            everything else: refused, in words that say what it looked like
"""
