package lint

// Rule is what a good lab keeps to.
type Rule struct {
	Name  string
	About string // one sentence, for the documentation
}

// Rules lists all of them.
func Rules() []Rule {
	return []Rule{
		{"about", "The lab has a summary, an author, a licence, a difficulty and a topic."},
		{"minutes", "The lab says how many minutes of work it is."},
		{"requires", "Each lab that it requires is there: built in, or in a folder beside it."},
		{"place", "When one node has a place in the drawing, all have."},
		{"segment-unused", "A segment with a single interface is named in the guide or in a check."},
		{"parameter-unused", "Each parameter is used."},
		{"solution", "The lab has a solution."},
		{"wrong-solutions", "The lab has at least two wrong solutions."},
		{"mutant-about", "Each wrong solution says what is wrong with it."},
		{"check-title", "Each check has a title of its own."},
		{"check-hint", "Each check has a hint."},
		{"check-step", "Each check belongs to a step of the guide."},
		{"step-check", "Each step of the guide has a check."},
		{"untouched", "No check passes on the untouched lab."},
		{"literal", "Nothing is typed that differs from student to student: an address within a parameter's range, or the very value that the author's own copy shows."},
		{"length", "The guide takes less than an hour to read and type, and no longer than `minutes` says."},
		{"command", "Each command of the guide, of checks and at a start, and each service that is started, is there in the machine's image."},
		{"node", "Each node that the guide names is there."},
		{"node-interface", "Commands are typed on nodes that have an interface."},
		{"alt", "Each picture has a text for those who do not see it."},
		{"link", "Each link leads to something."},
	}
}
