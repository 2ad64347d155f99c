print("eigenstep")
