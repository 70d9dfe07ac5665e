"""Framework agreements (框架协议): packages, admitted suppliers, period, price limits."""
