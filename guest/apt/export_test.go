package apt

var (
	ParseTargets = parseTargets
	ParseMadison = parseMadison
)
