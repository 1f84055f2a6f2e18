--- Back-quoted commands. No shell is ever started: a profile says what a command means, and what it does not
-- know is a failure that names it.
-- @module lunatcp.packetdrill.commands

local M = {}

-- Comments, continued lines, and what only moves output are not part of a command.
local function cleaned(line)
  line = line:gsub("%s+#.*$", ""):gsub("^#.*$", "")
  line = line:gsub("%s*2>&1", ""):gsub("%s*[12&]?>%s*/dev/null", "")
  return (line:gsub("^%s+", ""):gsub("%s+$", ""))
end

--- Simple commands of a text, in order; `a || b` is one of them.
-- @string text
-- @treturn {string,...}
function M.split(text)
  local list = {}
  for line in text:gsub("\\\n", " "):gmatch "[^\n]+" do
    line = line:gsub("&&", ";")
    for part in line:gmatch "[^;]+" do
      part = cleaned(part)
      if part ~= "" then list[#list + 1] = part end
    end
  end
  return list
end

--- Words of a simple command; quotes keep blanks together and are taken away.
function M.words(command)
  local words, word, quote = {}, nil, nil
  for character in command:gmatch "." do
    if quote then
      if character == quote then quote = nil else word = word .. character end
    elseif character == '"' or character == "'" then
      quote, word = character, word or ""
    elseif character:find "%s" then
      if word then words[#words + 1], word = word, nil end
    else
      word = (word or "") .. character
    end
  end
  if word then words[#words + 1] = word end
  return words
end

local function fits(rule, command, words)
  if rule.program and (words[1] or ""):match "[^/]*$" ~= rule.program then return false end
  return not rule.match or command:find(rule.match) ~= nil
end

local function apply(rule, words, state)
  if rule.ignore then return true end
  if rule.forget then
    state.forget()
    return true
  end
  if rule.ask then
    local ok, answer = pcall(rule.ask, state, words)
    if not ok then return nil, tostring(answer) end
    if answer then return true end
    return nil, "the answer is no"
  end
  local settings = rule.settings
  if type(settings) == "function" then
    local ok, message
    ok, settings, message = pcall(rule.settings, words)
    if not ok then return nil, tostring(settings) end
    if not settings then return nil, message or "it cannot be understood" end
  end
  local ok, problem = pcall(state.set, settings)
  if not ok then return nil, tostring(problem) end
  return true
end

-- The first rule that fits a command without `||` decides.
local function one(profile, command, state)
  local words = M.words(command)
  for _, rule in ipairs(profile.commands) do
    if fits(rule, command, words) then
      local ok, message = apply(rule, words, state)
      if ok then return true end
      return nil, ("`%s`: %s"):format(command, message)
    end
  end
  return nil, ("unknown command `%s` (profile %s; commands are not run, a profile says what they mean)")
    :format(command, profile.name)
end

--- Does what a command means.
-- @tparam table profile of `lunatcp.profiles`
-- @string text
-- @tparam table state what questions and settings work on: `counters`, `info`, `tcp_info`, `set`
-- @treturn boolean true; or nil, message
function M.run(profile, text, state)
  for _, command in ipairs(M.split(text)) do
    local ok, message
    for alternative in (command .. "||"):gmatch "%s*(.-)%s*||" do
      local problem
      ok, problem = one(profile, cleaned(alternative), state)
      if ok then break end
      message = message or problem
    end
    if not ok then return nil, message end
  end
  return true
end


return M
