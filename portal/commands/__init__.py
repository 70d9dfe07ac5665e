"""The commands of ``zhecai``, one module each: ``add(parsers)`` declares it, ``run(arguments)`` does it."""
