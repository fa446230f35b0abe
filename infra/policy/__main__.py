from infra.policy.pack import serve

serve()
