"""Who calls: the access key tells the client under test from the tests themselves and from functions in the cloud."""

ACCOUNT = "111122223333"
REGION = "eu-west-1"
SECRET = "a-secret-of-the-tests"
CLIENTS_KEY = "AKIACLIENTUNDERTEST0"
TESTS_KEY = "AKIATHETESTSTHEMSELF"
FUNCTIONS_KEY = "AKIAFUNCTIONOFCLOUD0"
