package web

import (
	"net/http"
	"time"

	"github.com/patchbay/patchbay/labs"
)

type accountData struct {
	Tokens []labs.APIToken
	Secret string // of a token that was just made, shown once
}

func (s *Server) accountPage(w http.ResponseWriter, r *http.Request) error {
	return s.renderAccount(w, r, http.StatusOK, "", "")
}

func (s *Server) renderAccount(w http.ResponseWriter, r *http.Request, status int, message, secret string) error {
	tokens, err := s.store.Tokens(r.Context(), actorOf(r.Context()).ID)
	if err != nil {
		return err
	}
	return s.render(w, r, status, view{Page: "account", Title: "Your account", Error: message,
		Data: accountData{Tokens: tokens, Secret: secret}})
}

func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	ctx := r.Context()
	a := actorOf(ctx)
	if _, err := s.checkPassword(r, a.Login, r.PostForm.Get("current")); err != nil {
		if labs.CodeOf(err) == labs.Unauthenticated {
			err = labs.Errorf(labs.Invalid, "Your current password is not the one you typed.")
		}
		if status := statusOf(err); status < 500 {
			return s.renderAccount(w, r, status, labs.MessageOf(err), "")
		}
		return err
	}
	hash, err := s.newPassword(r)
	if err != nil {
		if labs.CodeOf(err) == labs.Invalid {
			return s.renderAccount(w, r, statusOf(err), labs.MessageOf(err), "")
		}
		return err
	}
	if err := s.store.SetPassword(ctx, a.ID, hash); err != nil {
		return err
	}
	if err := s.goOnAlone(r, a); err != nil {
		return err
	}
	s.flash(ctx, "Your password is changed. Other browsers have been logged out.")
	return redirect(w, r, "/account")
}

// goOnAlone gives this browser a session of the user's new epoch, after all
// their sessions were ended.
func (s *Server) goOnAlone(r *http.Request, a actor) error {
	u, err := s.store.User(r.Context(), a.ID)
	if err != nil {
		return err
	}
	s.live.endUser(a.ID)
	return s.logIn(r.Context(), u)
}

func (s *Server) endSessions(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a := actorOf(ctx)
	if err := s.store.EndSessions(ctx, a.ID); err != nil {
		return err
	}
	if err := s.goOnAlone(r, a); err != nil {
		return err
	}
	s.flash(ctx, "All your other sessions are over.")
	return redirect(w, r, "/account")
}

func (s *Server) createToken(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	days := map[string]int{"7": 7, "30": 30, "180": 180}[r.PostForm.Get("days")]
	if days == 0 {
		return labs.Errorf(labs.Invalid, "Choose how long the token is to be valid.")
	}
	_, secret, err := s.store.CreateToken(r.Context(), actorOf(r.Context()).ID, r.PostForm.Get("name"), time.Now().AddDate(0, 0, days))
	if c := labs.CodeOf(err); c == labs.Invalid || c == labs.Conflict {
		return s.renderAccount(w, r, statusOf(err), labs.MessageOf(err), "")
	}
	if err != nil {
		return err
	}
	return s.renderAccount(w, r, http.StatusCreated, "", tokenPrefix+secret)
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "token")
	if err != nil {
		return err
	}
	a := actorOf(r.Context())
	if err := s.store.DeleteToken(r.Context(), a.ID, id); err != nil {
		return err
	}
	// Whose socket was opened with it is not known by the token's number.
	s.live.endIf(func(k *socket) bool { return k.who.ID == a.ID && k.who.script }, closeLoggedOut, "The API token was revoked.")
	s.flash(r.Context(), "The token is revoked.")
	return redirect(w, r, "/account")
}
