export default {
  title: "登录",
  lead: "采购人、供应商与监管部门使用同一入口。目录、框架协议与竞价公示无需登录即可查看。",
  way: "登录方式",
  login: "登录名",
  password: "密码",
  submit: "登录",
  loginNeeded: "请输入登录名",
  passwordNeeded: "请输入密码",
  demoTitle: "演示账号",
  demoLead: "这是演示环境：选择一个账号即可直接以该身份登录。",
};
