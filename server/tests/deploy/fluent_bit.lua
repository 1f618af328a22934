-- Stands in for Fluent Bit: calls a function of lines.lua as its lua filter does, for each case of the standard input.
-- usage: luajit fluent_bit.lua <folder of lines.lua>; a case is a line of JSON {call, tag, record}; an answer is {code, time, record}.

package.path = arg[1] .. "/?.lua;" .. package.path
local lines = require("lines")

local function written(value)
  local kind = type(value)
  if kind == "table" then
    local parts = {}
    if #value > 0 then
      for _, each in ipairs(value) do
        parts[#parts + 1] = written(each)
      end
      return "[" .. table.concat(parts, ",") .. "]"
    end
    for key, each in pairs(value) do
      parts[#parts + 1] = written(tostring(key)) .. ":" .. written(each)
    end
    return "{" .. table.concat(parts, ",") .. "}"
  elseif kind == "string" then
    return '"' .. value:gsub('[%c"\\]', function(sign)
      return string.format("\\u%04x", sign:byte())
    end) .. '"'
  elseif kind == "number" then
    return string.format("%.17g", value)
  end
  return tostring(value)
end

for text in io.lines() do
  local case = lines.json(text)
  local code, time, record = _G[case.call](case.tag or "bi", { sec = 1777464082, nsec = 874000000 }, case.record)
  io.write(written({ code = code, time = time, record = record }), "\n")
end
