"""The programs that folkmoot is measured beside, each as its own users would call it."""
