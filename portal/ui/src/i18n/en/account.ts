export default {
  title: "Log in",
  lead: "One door for purchasers, suppliers and supervisors. Catalogue, agreements and public auctions need no account.",
  way: "How to log in",
  login: "Login name",
  password: "Password",
  submit: "Log in",
  loginNeeded: "Enter your login name",
  passwordNeeded: "Enter your password",
  demoTitle: "Demo accounts",
  demoLead: "This is a demonstration: choose an account to log in with it at once.",
};
